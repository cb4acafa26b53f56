"""Where the public sets lie. They are no part of the product; see evaluation/README.md for where to get them."""

import os
import sys
from pathlib import Path

NEEDED = ("cmrc2018/cmrc2018_dev.json", "tau2_banking_knowledge/documents", "tau2_banking_knowledge/tasks")


def data_folder() -> Path:
    """The folder that EVAL_DATA names. Ends the process with what to type where it is missing or incomplete."""
    named = os.environ.get("EVAL_DATA", "")
    if not named:
        sys.exit(
            "EVAL_DATA is not set; give the folder of the public sets: EVAL_DATA=/path/to/data make eval-knowledge"
        )
    folder = Path(named)
    missing = [name for name in NEEDED if not (folder / name).exists()]
    if missing:
        sys.exit(f"EVAL_DATA={named} has no {', '.join(missing)}; evaluation/README.md says where to get them")
    return folder
