"""From scans to label maps without torch: preprocessing, tiles, engines, fusion, the predictor."""
