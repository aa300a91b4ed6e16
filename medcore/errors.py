"""The errors that medcore raises on purpose; each message is one sentence for a clinician.

    MedcoreError
    ├── DataError       a file or table: what is wrong, where, what to do
    ├── ConfigError     a setting or a combination of settings
    ├── FitError        training could not start or go on
    ├── StoreError      disk, database or workspace
    │   └── LimitError  a workspace's allowance is used up
    ├── JobError        the queue: already running, not found, cannot be stopped
    └── ExportError     a model cannot be written in another program's form

Everything else that escapes is a fault of the program and is caught at the job border only.
"""


class MedcoreError(Exception):
    """Something the user can understand and mend; `str(error)` is the whole sentence."""


class DataError(MedcoreError):
    """A file or table cannot be used as it is."""


class ConfigError(MedcoreError):
    """A setting, or a combination of settings, cannot be carried out."""


class FitError(MedcoreError):
    """Training could not start or go on."""


class StoreError(MedcoreError):
    """Disk, database or workspace refused."""


class LimitError(StoreError):
    """A workspace's allowance (disk, jobs, upload size) is used up."""


class JobError(MedcoreError):
    """A job is in a state in which the request makes no sense."""


class ExportError(MedcoreError):
    """A model cannot be written in another program's form."""
