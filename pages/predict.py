"""Predict: one patient by form, many by file."""

import streamlit as st

from pages.parts import state
from pages.parts.batch import show_batch
from pages.parts.frame import close_page, need_finished_run, open_page
from pages.parts.patient import describe_model, show_patient
from pages.parts.visits import reads_visits, show_course_form

open_page("Predict", "What does the model say of new patients?")
if need_finished_run():
    run = state.current().run
    st.caption(f"{run.name} · {describe_model(run)}")
    one, many = st.tabs(["One patient", "A file of patients"])
    with one:
        if reads_visits(run):
            show_course_form(run)
        else:
            show_patient(run)
    with many:
        show_batch(run)
close_page()
