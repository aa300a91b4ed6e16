"""The training images most like one: as the network sees them, kept, told with a check."""

import json

import numpy as np
import pytest
from PIL import Image
from sklearn.neighbors import NearestNeighbors

from medcore.apply import open_run, predict_patient
from medcore.data.media import read_image
from medcore.errors import ConfigError, StoreError
from medcore.explain import nearest_vectors, shared_neighbours, unit_vectors
from medcore.explanation.likeness import find_similar
from medcore.explanation.subject import open_subject
from medcore.recipes.embeddings import (
    NEIGHBOURS,
    embed_column,
    keep_embeddings,
    looking_member,
    read_embeddings,
)
from medcore.store import load_dataset, local_workspace, open_home
from medcore.store.folder import EMBEDDINGS
from tests.finished_runs import finish_run


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A judged run over pictures, and who it is about."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDCORE_HOME", str(tmp_path_factory.mktemp("likeness")))
        home = open_home()
        workspace = local_workspace(home)
        run = finish_run(workspace, "pictures")
        yield run, open_subject(run.folder, load_dataset(workspace, run.dataset))
        home.close()


def test_neighbours_are_those_of_the_cosine():
    rng = np.random.default_rng(0)
    vectors = unit_vectors(rng.normal(size=(50, 7)))
    point = unit_vectors(rng.normal(size=(1, 7)))[0]
    order, cosine = nearest_vectors(vectors, point, 5)
    oracle = NearestNeighbors(n_neighbors=5, metric="cosine").fit(vectors)
    away, places = oracle.kneighbors(point[None])
    assert order.tolist() == places[0].tolist()
    assert 1 - cosine == pytest.approx(away[0])


def test_shared_neighbours_are_all_of_oneself_and_few_by_luck():
    rng = np.random.default_rng(1)
    one, other = (unit_vectors(rng.normal(size=(200, 8))) for _ in range(2))
    assert shared_neighbours(one, one, 5) == 1
    assert shared_neighbours(one, other, 5) == pytest.approx(5 / 199, abs=0.02)
    assert np.isnan(shared_neighbours(one[:5], other[:5], 5))


def test_a_training_image_is_most_like_itself_and_can_be_left_out(kept):
    run, subject = kept
    model = subject.deployed.model
    member, found = looking_member(model, "scan"), read_embeddings(run.folder, "scan")
    own = int(found.row_id[7])
    vector = embed_column(model, member, subject.dataset, np.array([own]), "scan")[0]
    rows, cosine = found.nearest(vector)
    assert rows[0] == own
    assert cosine[0] == pytest.approx(1, abs=1e-3)
    others, _ = found.nearest(vector, leave=own)
    assert own not in others
    assert rows[1:].tolist() == others[: NEIGHBOURS - 1].tolist()


def test_only_training_rows_with_an_image_are_compared(kept):
    run, subject = kept
    rows = subject.split.parts["train"]
    there = subject.dataset.frame.loc[rows, "scan"].notna().to_numpy()
    assert read_embeddings(run.folder, "scan").row_id.tolist() == rows[there].tolist()


def test_the_neighbours_of_a_test_image_come_with_outcomes_and_a_check(kept):
    run, subject = kept
    row = int(subject.split.parts["test"][0])
    said = find_similar(subject, run.folder, "scan", row=row)
    train = set(subject.split.parts["train"].tolist())
    assert len(said["nearest"]) == NEIGHBOURS
    for near in said["nearest"]:
        assert near["row"] in train
        assert near["outcome"] == subject.dataset.frame.loc[near["row"], "place"]
    likeness = [near["likeness"] for near in said["nearest"]]
    assert likeness == sorted(likeness, reverse=True)
    assert 0 <= said["overlap"] < 1
    assert sum(said["usual"].values()) == pytest.approx(1)
    place = subject.dataset.frame["place"].loc[read_embeddings(run.folder, "scan").row_id]
    assert said["usual"]["upper"] == (place == "upper").mean()
    assert json.dumps(said)


def test_a_new_picture_on_the_form_has_the_neighbours_of_the_same_picture_as_a_row(kept, tmp_path):
    run, subject = kept
    row = int(subject.split.parts["test"][1])
    Image.fromarray(read_image(subject.dataset.media, subject.dataset.frame.loc[row, "scan"])).save(
        tmp_path / "new.png"
    )
    said = predict_patient(open_run(run.folder), {"scan": str(tmp_path / "new.png")})
    by_vector = find_similar(subject, run.folder, "scan", vector=said["vectors"]["scan"])
    assert by_vector == find_similar(subject, run.folder, "scan", row=row)
    assert predict_patient(open_run(run.folder), {"scan": None})["vectors"] == {}


def test_a_network_that_learned_puts_like_outcomes_together(kept):
    run, subject = kept
    outcome = subject.dataset.frame["place"]
    same = [
        np.mean([near["outcome"] == outcome[row] for near in said["nearest"]])
        for row in subject.split.parts["test"].tolist()
        if row != 3
        for said in [find_similar(subject, run.folder, "scan", row=row)]
    ]
    # Two classes of even size: luck gives one half.
    assert np.mean(same) > 0.7


def test_no_image_and_no_vectors_are_said_in_a_sentence(kept, tmp_path):
    run, subject = kept
    with pytest.raises(ConfigError, match="no image to compare"):
        find_similar(subject, run.folder, "scan", row=3)
    with pytest.raises(ConfigError, match="looks at 'marker'"):
        find_similar(subject, run.folder, "marker", row=0)
    with pytest.raises(StoreError, match="train it again"):
        find_similar(subject, tmp_path, "scan", row=0)


def test_a_model_without_images_keeps_no_vectors(kept, tmp_path):
    _, subject = kept
    run = finish_run(local_workspace(open_home()), "multiclass")
    assert not (run.folder / EMBEDDINGS).exists()
    keep_embeddings(tmp_path, open_run(run.folder).model, subject.dataset, np.arange(4))
    assert not (tmp_path / EMBEDDINGS).exists()
