"""What the numbers mean: the rules every report states beside its numbers."""

CONVENTIONS = {
    "units": "distances in mm, volumes in mm^3, all other scores as shares from 0 to 1; the spacing is the reference's",
    "class": (
        "what is judged under a name: the voxels of its label values; where a data set names regions these are judged,"
        " and a voxel may count for several of them"
    ),
    "ignored_voxels": (
        "voxels that the reference marks as ignored are counted nowhere, and are background in both label maps when"
        " surfaces are measured"
    ),
    "surface": (
        "voxels of a class with at least one of six face neighbours outside it; beyond the image is outside;"
        " distances run between voxel centres"
    ),
    "hd95": "the larger of the two directed 95th percentiles of surface distances",
    "nsd": "surface Dice: share of both surfaces' voxels that lie within the tolerance of the other surface",
    "volume_difference": "prediction minus reference: positive when the prediction is too large",
    "foreground_mean": "mean over the classes that are counted in a case, then over cases",
    "class_in_neither": (
        "not counted (empty in metrics.csv, null in metrics.json, not in n); the volume difference is 0,"
        " the specificity is counted"
    ),
    "class_only_in_reference": (
        "Dice, IoU, NSD and sensitivity are 0; HD95 is the image's diagonal, further than any two of its voxels are"
        " apart, so that means, ranks and intervals stay finite"
    ),
    "class_only_in_prediction": (
        "Dice, IoU and NSD are 0 and HD95 is the image's diagonal; sensitivity and the relative volume difference are"
        " not defined and not counted"
    ),
    "failed_case": (
        "a prediction that is missing, unreadable or on another grid gets the worst score for each class of its"
        " reference: 0, the image's diagonal for HD95, minus the whole volume; a reference that cannot be read gives"
        " no scores; either is listed under failures"
    ),
    "interval": "95 % percentile bootstrap over cases (10000 resamples, seeded); null for fewer than two cases",
}
