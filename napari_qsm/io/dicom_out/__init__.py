"""Back to the hospital: a map, its regions and their numbers as DICOM.

A map goes out as classic MR images in whole ppb, which every archive and viewer shows and whose
region tools then read ppb whether or not they apply a rescale; and, if asked for, as a parametric
map with float ppm. Regions go out as one segmentation, numbers as a structured report (TID 1500),
and a page to read as a PDF within DICOM.
"""
