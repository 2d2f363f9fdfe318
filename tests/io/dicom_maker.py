"""DICOM files as scanners write them, made from a scan that is known."""

from dataclasses import dataclass, field

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian

MR, ENHANCED = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.4.1"
ROOT = "1.2.826.0.1.3680043.8.498."

#: What must never come out again, by DICOM keyword.
PLANTED = {
    "PatientName": "Zzyzxson^Quillbert",
    "PatientID": "PIDQ77123",
    "PatientBirthDate": "19530417",
    "PatientAddress": "Nowherestrasse 99",
    "PatientComments": "QCOMMENTPAT",
    "AccessionNumber": "ACCQ55821",
    "StudyID": "STUDYQ909",
    "StudyDate": "20190213",
    "SeriesDate": "20190213",
    "AcquisitionDate": "20190213",
    "ContentDate": "20190213",
    "StudyTime": "134751.120000",
    "SeriesTime": "134752.230000",
    "AcquisitionTime": "134753.340000",
    "ContentTime": "134754.450000",
    "InstitutionName": "Quagmire General",
    "InstitutionAddress": "Quagmirestreet 5",
    "InstitutionalDepartmentName": "Quagdepartment",
    "StationName": "QSTATION3",
    "DeviceSerialNumber": "SERQ314159",
    "ReferringPhysicianName": "Refquack^Doc",
    "PerformingPhysicianName": "Perfquack^Doc",
    "OperatorsName": "Operquack",
    "StudyDescription": "QSTUDYDESC",
    "SeriesDescription": "QSERIESDESC",
    "ProtocolName": "QPROTOCOL",
    "ImageComments": "QIMGCOMMENT",
    "RequestedProcedureDescription": "QREQPROC",
}


@dataclass
class Maker:
    """Writes one scan the way one vendor does; returns nothing, fills ``folder``."""

    folder: object
    scan: object
    vendor: str = "siemens"
    enhanced: bool = False
    header: dict = field(default_factory=dict)
    first_series: int = 5
    study: str = ROOT + "77"

    def __post_init__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.count = 0

    def write(self):
        for series, images in self.series().items():
            if self.enhanced:
                self._write_enhanced(series, images)
            else:
                self._write_classic(series, images)
        return self.folder

    def series(self):
        """Series number to list of (part, echo number, echo time in s, volume of stored values)."""
        times = self.scan.echo_times_s
        magnitude = [
            ("M", i + 1, t, np.rint(v.data / self._top() * 3000).astype(np.int32))
            for i, (t, v) in enumerate(zip(times, self.scan.magnitude, strict=True))
        ]
        if self.vendor == "ge":
            return {self.first_series: magnitude + self._real_imaginary()}
        phase = [
            ("P", i + 1, t, self._stored_phase(v.data))
            for i, (t, v) in enumerate(zip(times, self.scan.phase, strict=True))
        ]
        if self.vendor == "philips":
            return {self.first_series: magnitude + phase}
        return {self.first_series: magnitude, self.first_series + 1: phase}

    def _top(self):
        return max(float(v.data.max()) for v in self.scan.magnitude)

    def _stored_phase(self, phase):
        """12 bits for one turn, as Siemens and Philips have it."""
        return np.clip(np.rint((phase / np.pi + 1) * 2048), 0, 4095).astype(np.int32)

    def _real_imaginary(self):
        images = []
        for i, t in enumerate(self.scan.echo_times_s):
            signal = self.scan.magnitude[i].data / self._top() * 3000
            signal = signal * np.exp(1j * self.scan.phase[i].data)
            signal = signal * (-1.0) ** np.arange(signal.shape[2])  # pi in every second slice
            images.append(("R", i + 1, t, np.rint(signal.real).astype(np.int32)))
            images.append(("I", i + 1, t, np.rint(signal.imag).astype(np.int32)))
        return images

    def _rescale(self, part):
        if part == "P" and self.vendor == "siemens":
            return 2.0, -4096.0
        if part == "P" and self.vendor == "philips":
            return 2 * 3141.592 / 4096, -3141.592
        return 1.0, 0.0

    def _geometry(self, k):
        to_lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ self.scan.grid.affine
        sizes = np.linalg.norm(to_lps[:3, :3], axis=0)
        across, down = (to_lps[:3, i] / sizes[i] for i in (0, 1))
        place = to_lps @ [0, 0, k, 1]
        return (
            [round(float(v), 5) for v in place[:3]],
            [round(float(v), 7) for v in (*across, *down)],
            [round(float(sizes[1]), 6), round(float(sizes[0]), 6)],
            round(float(sizes[2]), 5),
        )

    def _base(self, sop_class, series):
        self.count += 1
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = UID(sop_class)
        meta.MediaStorageSOPInstanceUID = UID(f"{self.study}.{series}.{self.count}")
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        ds.SOPClassUID = meta.MediaStorageSOPClassUID
        ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
        ds.StudyInstanceUID = UID(self.study)
        ds.SeriesInstanceUID = UID(f"{self.study}.{series}")
        ds.FrameOfReferenceUID = UID(f"{self.study}.0")
        ds.Modality = "MR"
        ds.Manufacturer = {
            "siemens": "SIEMENS",
            "ge": "GE MEDICAL SYSTEMS",
            "philips": "Philips Medical Systems",
        }[self.vendor]
        ds.ManufacturerModelName = "Model"
        ds.SeriesNumber = series
        ds.AcquisitionNumber = 1
        ds.PatientPosition = "HFS"
        ds.MRAcquisitionType = "3D"
        ds.MagneticFieldStrength = self.scan.field_strength_t
        ds.ImagingFrequency = round(self.scan.field_strength_t * 42.577, 4)
        ds.PixelBandwidth = 200
        for name, value in (PLANTED | self.header).items():
            setattr(ds, name, value)
        ds.SamplesPerPixel = 1
        ds.PhotometricInterpretation = "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 16, 15
        return ds

    def _write_classic(self, series, images):
        for part, echo, time, stored in images:
            for k in range(stored.shape[2]):
                ds = self._base(MR, series)
                place, orientation, spacing, thickness = self._geometry(k)
                ds.ImagePositionPatient = place
                ds.ImageOrientationPatient = orientation
                ds.PixelSpacing = spacing
                ds.SliceThickness = ds.SpacingBetweenSlices = thickness
                ds.ScanningSequence, ds.SequenceVariant = "GR", "SP"
                ds.EchoTime, ds.EchoNumbers = round(time * 1e3, 4), echo
                ds.RepetitionTime, ds.FlipAngle = 41.0, 15.0
                ds.InstanceNumber = self.count
                ds.RescaleSlope, ds.RescaleIntercept = (f"{v:.9g}" for v in self._rescale(part))
                self._classic_part(ds, part, stored.shape[2])
                pixels = stored[:, :, k].T
                ds.Rows, ds.Columns = pixels.shape
                ds.PixelRepresentation = int(pixels.min() < 0)
                ds.PixelData = pixels.astype("<i2" if ds.PixelRepresentation else "<u2").tobytes()
                self._save(ds)

    def _classic_part(self, ds, part, slices):
        if self.vendor == "ge":
            ds.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
            block = ds.private_block(0x0043, "GEMS_PARM_01", create=True)
            block.add_new(0x2F, "SS", {"M": 0, "P": 1, "R": 2, "I": 3}[part])
        elif self.vendor == "philips":
            kind = ["M_FFE", "M", "FFE"] if part == "M" else ["PHASE MAP", "P", "FFE"]
            ds.ImageType = ["ORIGINAL", "PRIMARY", *kind]
            block = ds.private_block(0x2001, "Philips Imaging DD 001", create=True)
            block.add_new(0x18, "SL", slices)
            block = ds.private_block(0x2005, "Philips MR Imaging DD 001", create=True)
            block.add_new(0x0D, "FL", 0.0)
            block.add_new(0x0E, "FL", 1.303 if part == "P" else 0.02)
        else:
            ds.ImageType = ["ORIGINAL", "PRIMARY", part, "ND"]

    def _write_enhanced(self, series, images):
        """One multi-frame file for each series."""
        ds = self._base(ENHANCED, series)
        names = {"M": "MAGNITUDE", "P": "PHASE", "R": "REAL", "I": "IMAGINARY"}
        parts = [part for part, *_ in images]
        ds.ImageType = ["ORIGINAL", "PRIMARY", parts[0], "NONE"]
        ds.ComplexImageComponent = names[parts[0]] if len(set(parts)) == 1 else "MIXED"
        ds.EchoPulseSequence = "GRADIENT"
        ds.PhaseContrast = "NO"
        ds.InstanceNumber = 1
        slices = images[0][3].shape[2]
        _, orientation, spacing, thickness = self._geometry(0)
        shared = Dataset()
        shared.PlaneOrientationSequence = _one(ImageOrientationPatient=orientation)
        shared.PixelMeasuresSequence = _one(
            PixelSpacing=spacing, SliceThickness=thickness, SpacingBetweenSlices=thickness
        )
        shared.MRTimingAndRelatedParametersSequence = _one(RepetitionTime=41.0, FlipAngle=15.0)
        ds.SharedFunctionalGroupsSequence = Sequence([shared])
        frames, pixels = [], []
        kinds = sorted(set(parts), key=parts.index)
        for part, echo, time, stored in images:
            for k in range(slices):
                frame = Dataset()
                frame.FrameContentSequence = _one(
                    StackID="1",
                    InStackPositionNumber=k + 1,
                    TemporalPositionIndex=1,
                    DimensionIndexValues=[1, k + 1, echo, kinds.index(part) + 1],
                )
                frame.PlanePositionSequence = _one(ImagePositionPatient=self._geometry(k)[0])
                frame.MREchoSequence = _one(EffectiveEchoTime=round(time * 1e3, 4))
                frame.MRImageFrameTypeSequence = _one(
                    FrameType=["ORIGINAL", "PRIMARY", part, "NONE"],
                    ComplexImageComponent=names[part],
                )
                slope, intercept = self._rescale(part)
                frame.PixelValueTransformationSequence = _one(
                    RescaleSlope=f"{slope:.9g}", RescaleIntercept=f"{intercept:.9g}"
                )
                frames.append(frame)
                pixels.append(stored[:, :, k].T)
        ds.PerFrameFunctionalGroupsSequence = Sequence(frames)
        ds.DimensionIndexSequence = Sequence(
            [
                _pointer(0x00209056, 0x00209111),
                _pointer(0x00209057, 0x00209111),
                _pointer(0x00189082, 0x00189114),
                _pointer(0x00089208, 0x00189226),
            ]
        )
        pixels = np.array(pixels)
        ds.NumberOfFrames, ds.Rows, ds.Columns = pixels.shape
        ds.PixelRepresentation = int(pixels.min() < 0)
        ds.PixelData = pixels.astype("<i2" if ds.PixelRepresentation else "<u2").tobytes()
        self._save(ds)

    def _save(self, ds):
        path = self.folder / f"IM{ds.SeriesNumber:03d}_{self.count:05d}"
        pydicom.dcmwrite(path, ds, enforce_file_format=True)


def _one(**entries):
    item = Dataset()
    for name, value in entries.items():
        setattr(item, name, value)
    return Sequence([item])


def _pointer(tag, group):
    item = Dataset()
    item.DimensionIndexPointer = tag
    item.FunctionalGroupPointer = group
    return item
