"""The signal cache on disk, shared with all programs that keep to the same files.

A file is replaced by a rename under `<name>.lock`, which is linked when complete; readers take no lock. A refresh is
announced by `<name>.refreshing`. Owners that are dead or late are replaced.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Callable, Iterator

MOST_BYTES = 1 << 20
OLDEST_LOCK_S = 2.0
PAUSE_S = 0.005


class CacheError(Exception):
    """The cache could not do what was asked. `kind`: `invalid-name`, `cooling-down` or `io`."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def default_root() -> Path:
    """`FIZEAU_CACHE_DIR`, else `fizeau` in the user's cache directory."""
    if root := os.environ.get("FIZEAU_CACHE_DIR"):
        return Path(root)
    caches = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(caches) if os.path.isabs(caches) else Path.home() / ".cache") / "fizeau"


def check_name(name: str) -> str:
    """The name, if it can be that of a file."""
    bad = next(
        (
            rule
            for rule, broken in [
                ("must have 1 to 128 bytes", not 0 < len(name.encode()) <= 128),
                ("must not begin with a dot", name.startswith(".")),
                ("must not contain a separator", "/" in name or "\\" in name),
                ("must not contain a control character", any(ord(c) < 32 or 127 <= ord(c) < 160 for c in name)),
            ]
            if broken
        ),
        None,
    )
    if bad:
        raise CacheError("invalid-name", f"the provider name {name!r} {bad}")
    return name


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


class SignalCache:
    """The cache under one root. Safe for use by many threads and processes."""

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        *,
        ttl_s: float = 300.0,
        refresh_deadline_s: float = 5.0,
        lock_timeout_s: float = 0.1,
        failure_cooldown_s: float = 0.25,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self.tier = Path(root if root is not None else default_root()) / "runtime"
        self.ttl_s = ttl_s
        self.refresh_deadline_s = refresh_deadline_s
        self.lock_timeout_s = lock_timeout_s
        self.failure_cooldown_s = failure_cooldown_s
        self.now = now

    def read(self, name: str) -> tuple[str, datetime] | None:
        """The stored text and when it was written; None where there is nothing that can be a signal."""
        path = self.tier / f"{check_name(name)}.json"
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            if path.is_symlink():
                return None
            raise self._failure("read", path, error) from error
        with open(descriptor, "rb") as file:
            try:
                data = file.read(MOST_BYTES + 1)
            except IsADirectoryError:
                return None
            modified = os.fstat(descriptor).st_mtime
        if len(data) > MOST_BYTES:
            return None
        try:
            return data.decode(), datetime.fromtimestamp(modified, timezone.utc)
        except UnicodeDecodeError:
            return None

    def replace(self, name: str, seen: str | None, text: str, durable: bool) -> tuple[bool, str | None]:
        """Replaces the file, if it still is `seen`. Whether it did, and what is stored."""
        path = self.tier / f"{check_name(name)}.json"
        try:
            self.tier.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._private(text.encode()) as private:
                if durable:
                    self._sync(private)
                with self._locked(name):
                    stored = self.read(name)
                    if (stored and stored[0]) != seen:
                        return False, stored and stored[0]
                    os.rename(private, path)
            if durable:
                self._sync(self.tier)
        except OSError as error:
            raise self._failure("write", path, error) from error
        return True, text

    def claim_refresh(self, name: str) -> bool:
        """Claims the refresh, or waits for another's. Whether it is the caller's, until `end_refresh`."""
        path = self.tier / f"{check_name(name)}.refreshing"
        self.tier.mkdir(mode=0o700, parents=True, exist_ok=True)
        ends = time.monotonic() + self.refresh_deadline_s
        waited = False
        while not self._announce(path, self.refresh_deadline_s, None):
            marker = self._marker(path)
            if marker and marker.get("last_error"):
                raise CacheError("cooling-down", marker["last_error"])
            if time.monotonic() >= ends:
                return False
            waited = True
            time.sleep(PAUSE_S)
        if waited:
            # The other has ended: what it stored serves.
            path.unlink(missing_ok=True)
            return False
        return True

    def end_refresh(self, name: str, failure: str | None) -> None:
        """Ends the claimed refresh; a failure keeps others away for the cool-down."""
        path = self.tier / f"{check_name(name)}.refreshing"
        path.unlink(missing_ok=True)
        if failure is not None:
            self._announce(path, self.failure_cooldown_s, failure[:512] or "the refresh failed")

    def _announce(self, path: Path, ends_in_s: float, failure: str | None) -> bool:
        """Puts a marker there, in place of a stale one. Whether it did."""
        now = self.now()
        content = {
            "pid": os.getpid(),
            "started_at": _rfc3339(now),
            "deadline": _rfc3339(now + timedelta(seconds=ends_in_s)),
        }
        if failure is not None:
            content["last_error"] = failure
        with self._private(json.dumps(content).encode()) as private:
            if self._link(private, path):
                return True
            found = _inode(path)
            if self._marker(path) is not None:
                return False
            _remove_stale(path, found)
            return self._link(private, path)

    def _marker(self, path: Path) -> dict | None:
        """A marker that is in force."""
        try:
            marker = json.loads(path.read_bytes())
            deadline = datetime.fromisoformat(marker["deadline"].replace("Z", "+00:00"))
            # A failed refresh is over with its cool-down, a running one is given more time.
            grace = 0.0 if marker.get("last_error") else 2 * self.refresh_deadline_s
            if self.now() > deadline + timedelta(seconds=grace) or not _is_alive(int(marker["pid"])):
                return None
            return marker
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        path = self.tier / f"{name}.lock"
        ends = time.monotonic() + self.lock_timeout_s
        content = json.dumps({"pid": os.getpid(), "started_at": _rfc3339(self.now())}).encode()
        with self._private(content) as private:
            while not self._link(private, path):
                found = _inode(path)
                if self._is_abandoned(path):
                    _remove_stale(path, found)
                elif time.monotonic() >= ends:
                    raise CacheError("io", f"{path} is held by another process; nothing was written: try again")
                else:
                    time.sleep(0.001)
            try:
                yield
            finally:
                path.unlink(missing_ok=True)

    def _is_abandoned(self, path: Path) -> bool:
        try:
            age = time.time() - path.stat().st_mtime
            return age > OLDEST_LOCK_S or not _is_alive(int(json.loads(path.read_bytes())["pid"]))
        except (OSError, ValueError, KeyError, TypeError):
            return False

    @contextmanager
    def _private(self, data: bytes) -> Iterator[str]:
        """A file of our own with this content, gone at the end unless it was moved."""
        descriptor, path = tempfile.mkstemp(prefix=".tmp-", dir=self.tier)
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
            yield path
        finally:
            Path(path).unlink(missing_ok=True)

    @staticmethod
    def _link(private: str, path: Path) -> bool:
        try:
            os.link(private, path)
        except FileExistsError:
            return False
        return True

    @staticmethod
    def _sync(path: str | Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    @staticmethod
    def _failure(action: str, path: Path, error: OSError) -> CacheError:
        return CacheError("io", f"cannot {action} {path}: {error.strerror}; nothing was changed")


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _remove_stale(path: Path, found: int | None) -> None:
    """Removes a side file, unless it is gone meanwhile: the next may stand there already."""
    if found is not None and _inode(path) == found:
        path.unlink(missing_ok=True)


def _rfc3339(at: datetime) -> str:
    return at.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
