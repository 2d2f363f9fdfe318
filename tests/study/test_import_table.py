"""A table of visits imported at once: resumable, one broken row costs one row."""

from types import SimpleNamespace

import pytest

from napari_qsm.cli import main
from napari_qsm.errors import FileError
from napari_qsm.io.participants import add_participant
from napari_qsm.study import import_table
from napari_qsm.study.import_table import read_visits


@pytest.fixture
def imports(monkeypatch):
    """Return what was imported; a folder called 'broken' cannot be."""
    done = []

    def fake(folder, out, *, subject, session, **others):
        if folder.name.startswith("broken"):
            raise FileError(f"'{folder.name}' holds no phase.")
        done.append((folder.name, subject, session, others["series"]))
        anat = out / f"sub-{subject}" / f"ses-{session}" / "anat"
        anat.mkdir(parents=True, exist_ok=True)
        (anat / f"sub-{subject}_ses-{session}_part-phase_T2starw.nii.gz").touch()
        add_participant(out, subject)  # as the import itself does
        return SimpleNamespace(scan=SimpleNamespace(description="1 echo"), warnings=())

    monkeypatch.setattr(import_table, "import_dicom", fake)
    return done


def table(folder, *rows, head="folder\tsubject\tsession"):
    path = folder / "visits.tsv"
    path.write_text("\n".join([head, *("\t".join(row) for row in rows)]) + "\n")
    return path


def test_a_table_is_imported_and_resumed(imports, tmp_path, capsys):
    rows = [("a", "01", "t0"), ("b", "sub-01", "ses-t1"), ("broken", "02", "t0"), ("c", "03", "t0")]
    path = table(tmp_path, *rows)
    line = ["import", "--table", str(path), "--out", str(tmp_path / "raw")]
    assert main(line) == 1
    said = capsys.readouterr().out
    assert "sub-02 ses-t0: FAILED (line 4). 'broken' holds no phase." in said
    assert "3 imported, 0 there already, 1 failed." in said
    assert imports == [("a", "01", "t0", None), ("b", "01", "t1", None), ("c", "03", "t0", None)]
    people = (tmp_path / "raw" / "participants.tsv").read_text().splitlines()
    assert [row.split("\t")[0] for row in people] == ["participant_id", "sub-01", "sub-03"]
    path = table(tmp_path, *rows[:2], ("mended", "02", "t0"), rows[3])
    assert main(line) == 0
    assert "1 imported, 3 there already, 0 failed." in capsys.readouterr().out
    assert imports[3:] == [("mended", "02", "t0", None)]


def test_what_the_table_tells_of_persons_comes_into_theirs(imports, tmp_path, capsys):
    head = "folder,subject,session,series,group,age,sex"
    path = tmp_path / "visits.csv"
    path.write_text(
        f"{head}\na,01,t0,5,patient,61,F\nb,01,t1,,,,\nc,02,t0,,control,58,M\nd,02,t1,,patient,,\n"
    )
    assert main(["import", "--table", str(path), "--out", str(tmp_path / "raw")]) == 1
    assert "group of sub-02 is 'control'" in capsys.readouterr().out
    assert imports[0] == ("a", "01", "t0", "5")
    assert not (tmp_path / "raw" / "sub-02" / "ses-t1").exists()
    assert (tmp_path / "raw" / "participants.tsv").read_text() == (
        "participant_id\tgroup\tage\tsex\nsub-01\tpatient\t61\tF\nsub-02\tcontrol\t58\tM\n"
    )


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", "01", "t0"), ("b", "01", "t0")], "line 3: '01 t0' stands in line 2"),
        ([("a", "01", "t0"), ("a", "01", "t1")], "line 3: 'a' stands in line 2"),
        ([("a", "0 1", "t0")], "line 2: '0 1' is no label for a subject"),
        ([("a", "", "t0")], "line 2: folder and subject"),
        ([("a", "01", ""), ("b", "01", "t1")], "with and without a session"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused_before_any_work(imports, tmp_path, rows, message):
    with pytest.raises(FileError, match=message):
        read_visits(table(tmp_path, *rows))
    assert (
        main(["import", "--table", str(tmp_path / "visits.tsv"), "--out", str(tmp_path / "o")]) == 1
    )
    assert not imports
    assert not (tmp_path / "o").exists()


def test_either_a_folder_or_a_table(tmp_path, capsys):
    assert main(["import", "--out", str(tmp_path / "o")]) == 1
    assert main(["import", "x", "--table", "t.tsv", "--out", str(tmp_path / "o")]) == 1
    assert main(["import", "--table", "t.tsv", "--subject", "1", "--out", str(tmp_path / "o")]) == 1
    assert "stand in the table" in capsys.readouterr().err


def test_a_table_of_participants_keeps_what_people_wrote(tmp_path):
    path = tmp_path / "participants.tsv"
    path.write_text("participant_id\tsite\tage\nsub-05\tB\t70", "utf-8")
    add_participant(tmp_path, "06", age="66")
    add_participant(tmp_path, "05")
    add_participant(tmp_path, "06", site="A", age="66")
    assert path.read_text() == "participant_id\tsite\tage\nsub-05\tB\t70\nsub-06\tA\t66\n"
    with pytest.raises(FileError, match="no column 'group'"):
        add_participant(tmp_path, "07", group="control")
    path.write_text("id\n1\n")
    with pytest.raises(FileError, match="no column 'participant_id'"):
        add_participant(tmp_path, "07")
