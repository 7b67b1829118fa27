"""All kinds of hostile input, by title."""

from tests.hostile.document_families import DOCUMENTS
from tests.hostile.engine_families import ENGINES
from tests.hostile.package_families import PACKAGES
from tests.hostile.planted import PLANTED
from tests.hostile.trial import Family
from tests.hostile.volume_families import VOLUMES

FAMILIES: dict[str, Family] = {family.title: family for family in (*VOLUMES, *PACKAGES, *ENGINES, *DOCUMENTS)}
_PLANTED = {family.title: family for family in PLANTED}


def family_named(title: str) -> Family:
    """Return the family, which may be a planted one."""
    return FAMILIES.get(title) or _PLANTED[title]
