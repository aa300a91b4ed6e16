"""Validate: does the model hold on patients from elsewhere?"""

import streamlit as st

from pages.parts import state
from pages.parts.frame import close_page, need_finished_run, open_page
from pages.parts.newcomers import check_newcomers, choose_newcomers, show_job
from pages.parts.treatment import leave_effect_to_results
from pages.parts.validated import choose_validation, show_validation

open_page(
    "Validate",
    "Does the model hold elsewhere? Bring patients of another hospital or a later year, with what "
    "became of them; the model, its preparation and its threshold stay as they are.",
)
if need_finished_run():
    run = state.current().run
    st.caption(run.name)
    leave_effect_to_results(run, "validate")
    if not show_job(run):
        row = choose_newcomers(run)
        if row is not None:
            check_newcomers(run, row)
        chosen = choose_validation(run)
        if chosen is not None:
            show_validation(run, chosen)
close_page()
