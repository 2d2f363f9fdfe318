"""What goes back to a hospital: a map, its regions, numbers and a page, as DICOM."""
