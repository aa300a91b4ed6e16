"""Medical words: drugs, findings, abbreviations, how they sound, and edits that can be undone."""

from medcore.lexicon.edits import (
    Edit,
    Proposal,
    accept_proposal,
    apply_edits,
    change_edit,
    edit_places,
    read_edits,
)
from medcore.lexicon.spelling import Candidate, is_lookalike, sound_key, suggest_words
from medcore.lexicon.terms import (
    Found,
    Lexicon,
    Meaning,
    Term,
    find_terms,
    is_known_word,
    load_lexicon,
)
from medcore.lexicon.tokens import Token, find_sentences, find_tokens, protected_reason

__all__ = [
    "Candidate",
    "Edit",
    "Found",
    "Lexicon",
    "Meaning",
    "Proposal",
    "Term",
    "Token",
    "accept_proposal",
    "apply_edits",
    "change_edit",
    "edit_places",
    "find_sentences",
    "find_terms",
    "find_tokens",
    "is_known_word",
    "is_lookalike",
    "load_lexicon",
    "protected_reason",
    "read_edits",
    "sound_key",
    "suggest_words",
]
