# SPDX-License-Identifier: GPL-2.0-only
"""The file of raw samples: one JSON object a line, added to while a run goes on,
so that a run that was interrupted can go on later."""

import collections
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

    def _count(self, event):
        return collections.Counter((r["round"], r["mode"]) for r in self.records
                                   if r["event"] == event)

    def failures(self):
        """(round, mode) -> how often it failed."""
        return self._count("failed")

    def disturbances(self):
        """(round, mode) -> how often others disturbed it, and it was left out."""
        return self._count("disturbed")

    def _boots(self):
        """(whether it came to its end, records) of each boot of a mode, in order of
        how it ended; those that did not end are last."""
        under_way = {}
        for r in self.records:
            if "mode" not in r:
                continue
            key = r["round"], r["mode"]
            # What an interrupted run has left is not a part of the next boot
            if r["event"] == "begin":
                under_way[key] = []
            under_way.setdefault(key, []).append(r)
            if r["event"] in ("end", "failed", "disturbed"):
                yield r["event"] == "end", under_way.pop(key)
        for records in under_way.values():
            yield False, records

    def complete(self):
        """The records of complete boots."""
        return [r for ended, records in self._boots() if ended for r in records]

    def under_way(self, number, mode):
        """The records of a boot that has not ended."""
        for _, records in self._boots():
            last = records[-1]
            if last["event"] not in ("end", "failed", "disturbed") and \
                    (last["round"], last["mode"]) == (number, mode):
                return records
        return []
