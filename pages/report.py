"""Report: what others need to read, check and use a model."""

import streamlit as st

from medcore.report import read_summary
from medcore.store.folder import REPORT
from pages.parts import state
from pages.parts.frame import close_page, need_finished_run, open_page
from pages.parts.patient import describe_model
from pages.parts.reporting import ask_use, show_open, show_report, watch_report

open_page("Report", "What do others need to read, check and use this model?")
if need_finished_run():
    run = state.current().run
    st.caption(f"{run.name} · {describe_model(run)}")
    ask_use(run)
    if not watch_report(run):
        summary = read_summary(run.folder / REPORT)
        if summary is not None:
            show_report(run, summary)
            show_open(run, summary)
close_page()
