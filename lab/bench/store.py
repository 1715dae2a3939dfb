# SPDX-License-Identifier: GPL-2.0-only
"""The file of raw samples: one JSON object a line, added to while a run goes on,
so that a run that was interrupted can go on later."""

import json
import os


class Store:
    """The first line is the configuration. A boot counts once its "end" is
    there; what came of a boot before it failed or was interrupted does not."""

    def __init__(self, path):
        self.path = path
        self.config = None
        self.records = []

    def load(self):
        try:
            with open(self.path, encoding="utf-8") as file:
                lines = file.read().split("\n")
        except FileNotFoundError:
            return self
        # The last line may be one that was being written
        for line in lines[:-1]:
            record = json.loads(line)
            if record["event"] == "config":
                self.config = record
            else:
                self.records.append(record)
        return self

    def begin(self, config):
        """Start over with a configuration, unless it is the one of the file;
        say whether the file goes on."""
        if self.config and self.config["hash"] == config["hash"]:
            self._mend()
            return True
        self.config = {"event": "config", **config}
        self.records = []
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(json.dumps(self.config) + "\n")
        return False

    def _mend(self):
        """Cut the line off that an interrupted run has begun."""
        with open(self.path, "rb+") as file:
            data = file.read()
            file.truncate(data.rfind(b"\n") + 1)

    def add(self, record):
        self.records.append(record)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def done(self):
        """The boots that are complete: (round, mode)."""
        return {(r["round"], r["mode"]) for r in self.records
                if r["event"] == "end"}

    def failures(self):
        """(round, mode) -> how often it failed."""
        count = {}
        for r in self.records:
            if r["event"] == "failed":
                key = (r["round"], r["mode"])
                count[key] = count.get(key, 0) + 1
        return count

    def complete(self):
        """The records of complete boots."""
        # A boot's attempt that reached its end is the one that counts
        good = {(r["round"], r["mode"], r["attempt"]) for r in self.records
                if r["event"] == "end"}
        return [r for r in self.records
                if "mode" in r and
                (r["round"], r["mode"], r["attempt"]) in good]
