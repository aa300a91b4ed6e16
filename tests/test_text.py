"""Notes as a kind of column: words, tokens, vectors of a pretrained transformer, and networks."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from medcore.apply import open_run, predict_file
from medcore.config import RunConfig, change_config
from medcore.data import make_dataset
from medcore.errors import ConfigError, DataError, FitError
from medcore.models import ENCODERS, build_network
from medcore.models.baselines import TERMS_C
from medcore.models.fusion import start_weights
from medcore.models.pretrained import (
    bundled_text_model,
    check_reader,
    find_text_model,
    has_text_model,
    load_reader,
    load_transformer,
)
from medcore.pipeline import run
from medcore.predict import predict_member, predict_rows
from medcore.prepare import fit_preparation, load_preparation, prepare_rows, save_preparation
from medcore.prepare.notes import read_vectors
from medcore.prepare.terms import (
    clean_text,
    find_grams,
    find_terms,
    learn_terms,
    term_values,
    weigh_terms,
)
from medcore.prepare.tokens import encode_texts, learn_tokenizer, load_tokenizer, stack_tokens
from medcore.recipes import fit_model
from medcore.strategies import check_kinds
from medcore.train.optimizer import build_optimizer
from medcore.train.text import hide_tokens
from tests.note_rows import note_dataset
from tests.prepared_rows import fit

CLASSES = ("lower", "upper")
TRAIN, HELD = np.arange(0, 80), np.arange(80, 120)
ODD = (
    "Заметка о пациенте: одышка 🩺", "患者は65歳の女性です。咳があります。", "ملاحظة المريض",
    "null\x00byte and bell\x07", "a" * 5000, "<p>Seen <b>today</b></p>", '{"note": "seen"}', "🫁🫀",
)  # fmt: skip

pretrained = pytest.mark.skipif(bundled_text_model() is None, reason="no transformer installed")


def text_config(**changes):
    values = {"train.epochs": 2, "train.batch_size": 32, "model.width": 16,
              "text.encoder": "text_bag"}  # fmt: skip
    return change_config(
        RunConfig(), values | {name.replace("__", "."): value for name, value in changes.items()}
    )


@pytest.fixture(scope="module")
def dataset():
    return note_dataset()


@pytest.fixture(scope="module")
def bag(dataset):
    return fit_preparation(dataset, TRAIN, text_config(), CLASSES)


def with_notes(dataset, notes):
    """Return the data set with some notes in place of its own."""
    frame = dataset.frame.copy()
    frame.loc[frame.index[: len(notes)], "scan"] = pd.array(notes, dtype="string")
    return replace(dataset, frame=frame)


def test_terms_are_those_of_scikit_learn_and_come_from_training_rows_alone(dataset, bag):
    notes = dataset.frame["scan"]
    oracle = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    learned = oracle.fit_transform(notes.loc[TRAIN].dropna().tolist())
    (found,) = bag.kinds
    assert list(found.terms) == list(oracle.get_feature_names_out())
    np.testing.assert_allclose(found.idf, oracle.idf_, rtol=0, atol=0)
    block = prepare_rows(bag, dataset, TRAIN).blocks["scan"]
    np.testing.assert_allclose(block.terms[block.present].toarray(), learned.toarray(), atol=1e-6)
    assert not block.terms[~block.present].nnz


def test_pieces_of_words_are_those_of_scikit_learn_and_are_learned_where_a_model_reads_them(
    dataset,
):
    notes = dataset.frame["scan"]
    oracle = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=3
    )  # fmt: skip
    learned = oracle.fit_transform(notes.loc[TRAIN].dropna().tolist())
    reading = fit_preparation(dataset, TRAIN, text_config(model__name="tfidf_characters"), CLASSES)
    (found,) = reading.kinds
    assert list(found.grams) == list(oracle.get_feature_names_out())
    block = prepare_rows(reading, dataset, TRAIN).blocks["scan"]
    np.testing.assert_allclose(block.grams[block.present].toarray(), learned.toarray(), atol=1e-6)
    assert not block.grams[~block.present].nnz
    for name in ("tfidf", "text_bag"):
        (other,) = fit_preparation(dataset, TRAIN, text_config(model__name=name), CLASSES).kinds
        assert not other.grams and other.terms == found.terms


@given(st.text(max_size=60))
@settings(max_examples=50, deadline=None)
def test_pieces_are_found_as_scikit_learn_counts_them_and_stand_in_their_word(text):
    text = clean_text(text)
    analyse = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5)).build_analyzer()
    found = find_grams(text)
    assert sorted(term for term, _ in found) == sorted(analyse(text))
    for term, ((start, end),) in found:
        assert term.strip() in text[start:end].lower() and not re.search(r"\s", text[start:end])


def test_a_word_of_later_rows_only_is_nothing(dataset, bag):
    later = prepare_rows(bag, with_notes(dataset, ["zebra quagga okapi"]), np.array([0]))
    assert not later.blocks["scan"].terms.nnz
    assert later.blocks["scan"].present[0]


@given(st.text(max_size=200))
@settings(max_examples=30, deadline=None)
def test_the_places_of_terms_spell_them_in_any_script(text):
    text = clean_text(text)
    for term, spans in find_terms(text):
        assert len(term.split(" ")) == len(spans)
        for word, (start, end) in zip(term.split(" "), spans, strict=True):
            assert text[start:end].lower() == word or len(text.lower()) != len(text)
    assert "\x00" not in text


def test_the_terms_found_are_the_terms_counted():
    notes = ["No fever, no cough since 3 days.", "Fever and cough; İstanbul", *ODD[:3]]
    terms, idf, seen = learn_terms([*notes, *notes], 1000)
    counted = weigh_terms(terms, idf, notes)
    for row, note in enumerate(notes):
        here = {term for term, _ in find_terms(note)}
        assert {terms[place] for place in counted[row].indices} == here & set(terms)
    assert seen.min() >= 2


def test_signs_without_blanks_between_them_are_words_of_their_own():
    assert [term for term, _ in find_terms("咳と熱 🩺")] == [
        "咳", "と", "熱", "🩺", "咳 と", "と 熱", "熱 🩺",
    ]  # fmt: skip


LEARNED = learn_tokenizer(["no fever", "fever and cough"] * 3, 300)


@given(st.text(min_size=1, max_size=80))
@settings(max_examples=60, deadline=None)
def test_every_script_survives_the_tokeniser(text):
    tokenizer = load_tokenizer(LEARNED)
    (tokens,) = encode_texts(tokenizer, [text])
    back = tokenizer.decode(tokens.tolist())
    wanted = tokenizer.normalizer.normalize_str(text)
    assert back.strip() == wanted.strip()
    assert 1 not in tokens


def test_long_notes_keep_their_beginning_and_end():
    values = stack_tokens([np.arange(10, dtype=np.int32), np.array([7], np.int32)], 4, 0)
    assert values.tolist() == [[0, 1, 8, 9], [7, 0, 0, 0]]


def test_how_many_notes_are_cut_is_said(dataset):
    notes = [f"{note} {'and so on ' * 40}" for note in dataset.frame["scan"].fillna("x")[:40]]
    long = with_notes(dataset, notes)
    preparation = fit_preparation(long, TRAIN, text_config(text__tokens=32), CLASSES)
    (sentence,) = preparation.left_out
    assert "longer than 32 tokens" in sentence and "TF-IDF all of them" in sentence
    assert prepare_rows(preparation, long).blocks["scan"].values.shape[1] == 32


def test_a_preparation_is_json_and_survives_it(dataset, bag, tmp_path):
    save_preparation(bag, tmp_path)
    again = load_preparation(tmp_path)
    assert again == bag
    stored = json.loads((tmp_path / "preparation.json").read_text(encoding="utf-8"))
    assert json.loads(stored["kinds"][0]["tokenizer"])["model"]["type"] == "BPE"


@pytest.mark.parametrize("encoder", ["text_bag", "text_gru", "text_transformer"])
def test_each_network_learns_what_the_notes_tell_and_not_shuffled_outcomes(dataset, encoder):
    config = text_config(
        text__encoder=encoder, train__epochs=20, train__learning_rate=5e-3, train__patience=20
    )
    preparation = fit_preparation(dataset, TRAIN, config, CLASSES)
    train, held = (prepare_rows(preparation, dataset, rows) for rows in (TRAIN, HELD))
    _, network = fit(train, held, config, name=encoder)
    assert ((predict_member(network, held)[:, 1] > 0.5) == held.outcome).mean() > 0.9
    if encoder == "text_bag":
        dealt = np.random.default_rng(0).permutation(train.outcome)
        _, blind = fit(replace(train, outcome=dealt), held, config, name=encoder)
        assert ((predict_member(blind, held)[:, 1] > 0.5) == held.outcome).mean() < 0.8


@pytest.mark.parametrize("encoder", ["text_bag", "text_gru", "text_transformer"])
def test_what_fills_a_note_up_changes_nothing(encoder):
    spec = {"vocabulary": 50, "pad": 0, "shape": [24], "settings": {}}
    torch.manual_seed(0)
    network = ENCODERS["text"][encoder](spec).eval()
    tokens = torch.randint(2, 50, (3, 24))
    tokens[:, 10:] = 0
    with torch.inference_mode():
        short, long = network(tokens[:, :10]), network(tokens)
        empty = network(torch.zeros(2, 24, dtype=torch.int64))
    torch.testing.assert_close(short, long, rtol=1e-5, atol=1e-5)
    assert torch.isfinite(empty).all() and long.shape == (3, network.width)


def test_hidden_tokens_are_never_the_filling():
    values = torch.full((200, 20), 7)
    values[:, 10:] = 0
    torch.manual_seed(0)
    traits = {"pad": 0, "hidden": 1}
    changed = hide_tokens(values, text_config(text__mask=0.3).text, traits)
    assert (changed[:, 10:] == 0).all() and set(changed.unique().tolist()) == {0, 1, 7}
    assert abs(float((changed[:, :10] == 1).float().mean()) - 0.3) < 0.03
    assert hide_tokens(values, text_config().text, {"frozen": True}) is values


def test_mixup_is_refused_for_tokens_with_the_reason(dataset, bag):
    train = prepare_rows(bag, dataset, TRAIN)
    with pytest.raises(FitError, match="cannot mix words"):
        fit(train, None, text_config(augment__mixup=0.2), name="text_bag")


def fit_text_model(dataset, config, **parts):
    whole = {"train": TRAIN, "validation": HELD[:20], "test": HELD[20:]}
    return fit_model(dataset, parts or whole, config, CLASSES)


@pytest.mark.parametrize("name", ["tfidf", "tfidf_characters"])
def test_tfidf_is_the_regression_that_scikit_learn_fits(dataset, name):
    config = text_config(model__name=name)
    characters = name == "tfidf_characters"
    fitted = fit_text_model(dataset, config)
    said = predict_rows(fitted.model, dataset, HELD)
    preparation = fitted.model.preparations[0]
    rows = prepare_rows(preparation, dataset, TRAIN)
    oracle = LogisticRegression(C=TERMS_C, max_iter=1000, tol=1e-3).fit(
        term_values(rows, characters=characters), rows.outcome
    )
    held = prepare_rows(preparation, dataset, HELD)
    theirs = oracle.predict_proba(term_values(held, characters=characters))
    np.testing.assert_allclose(said, theirs, atol=1e-6)
    assert np.array_equal(predict_rows(fitted.model, dataset, HELD[7:8]), said[7:8])
    order = HELD[::-1]
    assert np.array_equal(predict_rows(fitted.model, dataset, order), said[::-1])


def test_tfidf_stands_beside_every_model_of_notes_and_beside_no_other(dataset):
    fitted = fit_text_model(dataset, text_config(model__name="text_bag"))
    assert set(fitted.baselines) == {"prevalence", "logistic", "tfidf"}
    table = note_dataset(table=True)
    bare = tuple(replace(c, role="ignored") if c.name == "scan" else c for c in table.columns)
    fitted = fit_text_model(replace(table, columns=bare), text_config(model__name="logistic"))
    assert "tfidf" not in fitted.baselines


def test_tfidf_without_a_text_is_refused_with_the_reason():
    with pytest.raises(ConfigError, match="no input is a text"):
        check_kinds(text_config(model__name="tfidf"), {"age": "number"})
    check_kinds(text_config(model__name="tfidf"), {"age": "number", "note": "text"})


def test_notes_beside_numbers_go_through_the_fusion_and_tfidf_sees_both():
    dataset = note_dataset(table=True)
    fitted = fit_text_model(dataset, text_config(train__epochs=4))
    assert {"mlp", "tfidf", "logistic"} <= set(fitted.model.weights)
    frame = dataset.frame.assign(marker=-dataset.frame["marker"])
    moved = predict_rows(fitted.baselines["tfidf"], replace(dataset, frame=frame), HELD)
    assert not np.allclose(moved, predict_rows(fitted.baselines["tfidf"], dataset, HELD))


def test_odd_notes_get_an_answer(dataset, bag):
    odd = with_notes(dataset, list(ODD))
    for name in ("text_bag", "tfidf", "tfidf_characters"):
        fitted = fit_text_model(odd, text_config(model__name=name))
        said = predict_rows(fitted.model, with_notes(dataset, [*ODD, "", " \x00 "]), np.arange(10))
        assert np.isfinite(said).all()
        gone = with_notes(dataset, [pd.NA])
        assert np.array_equal(said[8], said[9])
        assert np.array_equal(predict_rows(fitted.model, gone, np.array([0]))[0], said[8])


def test_lower_layers_learn_more_slowly():
    network = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Linear(3, 2))
    for parameter in network[0].parameters():
        parameter.rate = 0.1
    optimizer = build_optimizer(network, RunConfig().train)
    assert sorted({group["rate"] for group in optimizer.param_groups}) == [0.1, 1.0]


@pytest.fixture(scope="module")
def small_transformer(tmp_path_factory):
    """A transformer of two layers with weights of its own, in a folder as people have them."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("transformer")
    words = [word for note in note_dataset().frame["scan"].dropna() for word in note.split()]
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(set(words))]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(names)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    ends = processors.TemplateProcessing(single="[CLS] $A [SEP]",
                                         special_tokens=[("[CLS]", 2), ("[SEP]", 3)])  # fmt: skip
    tokenizer.post_processor = ends
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", mask_token="[MASK]",
        cls_token="[CLS]", sep_token="[SEP]",
    ).save_pretrained(folder)  # fmt: skip
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(names), hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=64,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    return folder


def test_a_frozen_transformer_reads_a_note_alike_alone_and_among_others(small_transformer):
    reader = load_reader(str(small_transformer))
    notes = note_dataset().frame["scan"].dropna().tolist()[:40]
    tokens = list(encode_texts(reader.tokenizer, [*notes, " ".join(notes)]))
    every = reader.read(tokens)
    for place in (0, 17, 40):
        assert np.array_equal(reader.read([tokens[place]])[0], every[place])
    assert len(tokens[40]) > 5 * reader.window


def test_what_is_read_is_the_mean_of_the_transformers_states(small_transformer):
    from transformers import AutoModel, AutoTokenizer

    reader = load_reader(str(small_transformer))
    note = "Lungs are clear. Denies chest pain."
    (tokens,) = encode_texts(reader.tokenizer, [note])
    theirs = AutoTokenizer.from_pretrained(small_transformer)(note, return_tensors="pt")
    theirs = {name: theirs[name] for name in ("input_ids", "attention_mask")}
    with torch.inference_mode():
        states = AutoModel.from_pretrained(small_transformer).eval()(**theirs).last_hidden_state
    np.testing.assert_allclose(reader.read([tokens])[0], states[0].mean(dim=0), atol=1e-5)


def test_vectors_are_computed_once_and_kept_beside_the_data(small_transformer, tmp_path):
    reader = load_reader(str(small_transformer))
    notes = [f"{note} {place}" for place, note in enumerate(note_dataset().frame["scan"].dropna())]
    reader.held.clear()
    first, sizes = read_vectors(reader, notes, 64, tmp_path)
    reader.held.clear()
    reader.network.forward, whole = None, reader.network.forward
    try:
        again, _ = read_vectors(reader, notes[::-1], 64, tmp_path)
        with pytest.raises(TypeError):
            read_vectors(reader, ["never read before"], 64, tmp_path)
    finally:
        reader.network.forward = whole
    assert np.array_equal(again[::-1], first)
    assert (sizes > 0).all()
    next(tmp_path.iterdir()).write_bytes(b"damaged")
    reader.held.clear()
    assert np.array_equal(read_vectors(reader, notes, 64, tmp_path)[0], first)


def test_frozen_vectors_feed_the_regression_and_the_network(small_transformer, dataset):
    config = text_config(
        text__encoder="text_pretrained", text__model=str(small_transformer), model__name="mlp",
        train__epochs=8, train__learning_rate=0.01,
    )  # fmt: skip
    fitted = fit_text_model(dataset, config)
    truth = dataset.frame.loc[HELD, "place"].eq("upper").to_numpy()
    for model in (fitted.model, fitted.baselines["logistic"]):
        assert ((predict_rows(model, dataset, HELD)[:, 1] > 0.5) == truth).mean() > 0.7
    other = fitted.model.preparations[0].kinds[0].model | {"digest": "another"}
    with pytest.raises(DataError, match="name the one it was trained with"):
        check_reader(load_reader(str(small_transformer)), other["digest"], other["label"])


def test_fine_tuning_starts_from_the_given_weights_and_lower_layers_move_less(
    small_transformer, dataset
):
    config = text_config(
        text__encoder="text_pretrained", text__model=str(small_transformer), text__fine_tune=True,
        text__rate=0.5, text__decay=0.1, train__epochs=2, text__mask=0.0,
    )  # fmt: skip
    preparation = fit_preparation(dataset, TRAIN, config, CLASSES)
    train, held = (prepare_rows(preparation, dataset, rows) for rows in (TRAIN, HELD))
    network = build_network("text_pretrained", train.blocks, 2, config)
    spec = {"blocks": {"scan": {"settings": config.text.model_dump()}}, "table": None}
    start_weights(network, spec)
    given = load_transformer(str(small_transformer)).state_dict()
    own = network.encoder.encoders[0].transformer.state_dict()
    assert all(torch.equal(own[name], value) for name, value in given.items())
    _, trained = fit(train, held, config, name="text_pretrained")
    prefix = "encoder.encoders.0.transformer."

    def moved(name):
        return float(np.abs(trained.arrays[prefix + name] - given[name].numpy()).mean())

    place = "encoder.layer.{}.output.dense.weight"
    assert moved(place.format(1)) > 3 * moved(place.format(0)) > 0
    alone = predict_member(trained, held.take(np.array([3])))
    assert np.array_equal(alone, predict_member(trained, held)[3:4])


@pytest.mark.parametrize("given", ["/nowhere/at/all", "../secret", "a b", "x/y/z"])
def test_a_transformer_that_is_not_there_is_named_in_a_sentence(given):
    with pytest.raises(DataError, match="text transformer"):
        find_text_model(given)
    assert not has_text_model(given)


def test_a_folder_without_weights_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(DataError, match=r"tokenizer\.json is missing"):
        find_text_model(str(tmp_path))


def test_a_hub_name_without_internet_is_a_sentence_with_a_next_step(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    load_reader.cache_clear()
    with pytest.raises(DataError, match="is not kept on this machine, and no hub gives it") as told:
        load_reader("clinic/no-such-notes-model")
    assert "MEDCORE_TEXT_MODEL" in str(told.value) and "\n" not in str(told.value)
    assert not has_text_model("clinic/no-such-notes-model")


@pretrained
def test_the_installed_transformer_is_found(monkeypatch):
    monkeypatch.delenv("MEDCORE_TEXT_MODEL", raising=False)
    assert has_text_model() and find_text_model().label == "all-MiniLM-L6-v2"


@pytest.mark.parametrize("at_hand", [True, False])
def test_recommended_joins_tfidf_with_the_best_encoder_at_hand(
    dataset, small_transformer, monkeypatch, at_hand
):
    monkeypatch.setattr("medcore.prepare.text.has_text_model", lambda _: at_hand)
    config = text_config(
        model__name="recommended", text__encoder="auto", text__model=str(small_transformer)
    )
    fitted = fit_text_model(dataset, config)
    assert set(fitted.model.weights) == {
        "tfidf", "tfidf_characters", "logistic" if at_hand else "text_bag"
    }  # fmt: skip
    # Words alone stay what the whole is compared with.
    assert "tfidf" in fitted.baselines and "tfidf_characters" not in fitted.baselines
    assert sum(fitted.model.weights.values()) == pytest.approx(1.0)
    # Weights rest on predictions for rows that the members were not fitted on: each of them once.
    assert sorted(fitted.row_id) == list(range(100)) and set(fitted.fold) == set(range(5))
    test = np.arange(100, 120)
    truth = dataset.frame.loc[test, "place"].eq("upper").to_numpy()
    assert ((predict_rows(fitted.model, dataset, test)[:, 1] > 0.5) == truth).mean() >= 0.9


@pytest.mark.parametrize("name", ["tfidf", "tfidf_characters"])
def test_a_run_over_notes_keeps_a_given_division_and_predicts_a_file(tmp_path, name):
    dataset = note_dataset(150)
    frame = dataset.frame.assign(kind=dataset.frame["place"])
    frame.loc[[0, 130], "kind"] = "both"
    frame["split"] = ["train"] * 100 + ["validation"] * 25 + ["test"] * 25
    table = make_dataset(frame[["scan", "kind", "split"]], "Notes", "notes.csv", "5" * 64)
    config = text_config(
        model__name=name, evaluate__resamples=100,
        data__roles={"scan": "input", "kind": "outcome"},
    )  # fmt: skip
    judged = run(config, table, folder=tmp_path / "run")
    assert judged.parts["test"].n == 25
    # One of two rows of a class stands in training, the other in the test: judged, not dropped.
    assert judged.parts["test"].metrics["recall_both"].n
    new = tmp_path / "new.csv"
    frame[["scan"]].head(12).to_csv(new, index=False)
    predict_file(open_run(tmp_path / "run"), new, tmp_path / "said.csv")
    said = pd.read_csv(tmp_path / "said.csv")
    assert len(said) == 12 and said["predicted"].notna().all()
    shares = said[[name for name in said if name.startswith("probability_")]]
    assert shares.shape[1] == 3 and np.allclose(shares.sum(axis=1), 1)
