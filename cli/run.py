"""`make run`: the whole product on a laptop, as one process tree, with a demonstration; Ctrl-C stops what it started."""

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from temporalio.client import Client

from cli.demo import DemoFailedError, demonstrate
from cli.ports import PortTakenError, ensure_free, free_port
from cli.processes import Child, Processes, ProcessesFailedError
from domain.errors import DatabaseUnavailableError
from runtime.secrets_file import own_secret
