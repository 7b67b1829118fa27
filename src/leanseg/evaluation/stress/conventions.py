"""What the numbers of a stress test mean: stated in its page and in stress.json."""

CONVENTIONS = {
    "judged": (
        "Dice of each class or region on the scan's own grid, by the reference; a class in neither label map is not"
        " counted; voxels that the reference marks as ignored count nowhere"
    ),
    "level_0": "the scan as it is, bit for bit; each stress begins there",
    "random": (
        "what is drawn depends on the seed, the case's name and the stress, on nothing else: packages see the same"
        " scans, and all levels of a stress are one disturbance that grows"
    ),
    "intensity_range": (
        "of a channel: from the 1st to the 99th percentile of its voxels that are not background, the value in the"
        " corners"
    ),
    "noise": (
        "Rician in MR, Gaussian in channels called CT; the standard deviation is given as share of the intensity range"
    ),
    "darker_brighter": "intensities to the power of the exponent, the range being 0 to 1; not in CT",
    "bias": "intensities times a smooth field from 1 - amplitude to 1 + amplitude; not in CT",
    "slices": (
        "means over slabs of that thickness; the package is given the scan with its thick spacing; each voxel of the"
        " reference's grid has the label of the slice it lies in; the dotted line is the Dice of the reference itself,"
        " put into such slices and back, which nobody who sees only them can expect to beat by much; a scan whose"
        " slices are as thick already is left as it is"
    ),
    "motion": (
        "parts of k-space come from copies that are shifted by that many mm and turned by that many degrees; the middle"
        " eighth of the lines is read at rest"
    ),
    "deformation": "a smooth one without folds, its largest displacement as given; the reference is deformed alike",
    "field_of_view": (
        "a box is kept, placed at random; only what lies in it is judged, so that a class that is cut away altogether"
        " is not counted, and 0 where it is found all the same"
    ),
    "drop": (
        "Dice on the scan as it is minus Dice under stress, case by case; over classes: the mean of the drops of those"
        " that are counted both times"
    ),
    "difference": (
        "drop of the first package minus drop of the second, case by case: positive where the first loses more"
    ),
    "failed_prediction": "counts as an empty label map, and is listed under failures",
    "interval": "95 % percentile bootstrap over cases (10000 resamples, seeded); null for fewer than two cases",
}
