"""One 3D image and its geometry: strict readers and writers, orientation."""
