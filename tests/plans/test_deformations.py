import pytest
from pydantic import ValidationError

from leanseg.plans import Augmentation, Elastic, RegistrationMix


def test_a_plan_of_before_bends_nothing():
    settings = Augmentation.model_validate_json("{}", strict=True)
    assert settings.elastic is None
    assert settings.registration is None


def test_the_defaults_are_those_published():
    assert (Elastic().probability, Elastic().sigma, Elastic().points) == (0.5, 15.0, 2)
    assert RegistrationMix().share == pytest.approx(1 / 3)
    assert RegistrationMix().velocity == (0.5, 1.0)


def test_three_thirds_are_all_patches():
    Augmentation(elastic=Elastic(probability=2 / 3), registration=RegistrationMix(share=1 / 3))
    with pytest.raises(ValidationError, match="more than all"):
        Augmentation(elastic=Elastic(probability=0.7), registration=RegistrationMix(share=1 / 3))


@pytest.mark.parametrize("text", ['{"velocity": [1.0, 0.5]}', '{"partners": 0}', '{"disk": 0}', '{"share": 1.1}'])
def test_a_mix_that_makes_no_sense_is_refused(text):
    with pytest.raises(ValidationError):
        RegistrationMix.model_validate_json(text, strict=True)
