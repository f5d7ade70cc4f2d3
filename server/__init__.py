"""Rounds, checkpoints and the ServerApp."""

from penchant.server.app import server_app
from penchant.server.checkpoints import Checkpoints
from penchant.server.journal import Account, Hooks, RunJournal

__all__ = ["Account", "Checkpoints", "Hooks", "RunJournal", "server_app"]
