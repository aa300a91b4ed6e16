"""The leakage certificate in plain words: what was verified, and the evidence for it."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from medcore.records import Evaluation, Run
from medcore.store import read_json
from medcore.store.folder import CERTIFICATE
from pages.parts.frame import count

ICONS = {
    True: ":green[:material/check_circle:]",
    False: ":orange[:material/warning:]",
    None: ":blue[:material/help:]",
}


def show_certificate(run: Run, _: Evaluation) -> None:
    """Show each check with a tick, a warning, or a question mark where nobody can tell."""
    if not (run.folder / CERTIFICATE).is_file():
        return
    checks = read_json(run.folder, CERTIFICATE)
    failed = [check for check in checks if check["passed"] is False]
    open_still = [check for check in checks if check["passed"] is None]
    st.subheader("Could the figures be too good?", anchor=False)
    words = (
        f"**{count(len(failed), 'reason')} to doubt the figures.**"
        if failed
        else "**No sign that the model saw what it was judged on.**"
    )
    if open_still:
        words += f" {count(len(open_still), 'question')} that the data leave open."
    st.markdown(words)
    for check in sorted(checks, key=lambda check: {False: 0, None: 1, True: 2}[check["passed"]]):
        st.markdown(f"{ICONS[check['passed']]} **{check['check']}.** {check['sentence']}")
    with st.expander("The evidence"):
        for place, check in enumerate(checks):
            if check["evidence"]:
                st.markdown(f"**{check['check']}**")
                table = pd.DataFrame(check["evidence"]).rename(columns=str.capitalize)
                st.dataframe(table, hide_index=True, key=f"evidence_{place}")
        st.download_button(
            "Download the certificate", (run.folder / CERTIFICATE).read_bytes, CERTIFICATE,
            "application/json", on_click="ignore", key="certificate_json",
        )  # fmt: skip
