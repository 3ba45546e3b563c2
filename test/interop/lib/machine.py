"""An ext4 of its own on a loop device, which can be shut down without writing its journal. Needs root."""
import fcntl
import os
import struct
import subprocess
import tempfile

import harness

FS_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2  # what is only in the journal's memory is gone, as with the power


class Machine:
    """A disk of its own, whose power can be cut. Skips the test where there is no right to have one."""

    def __init__(self, backed_by=None):
        """backed_by: a size as mount takes it; the image lies in a file system in memory of that size, and writing fails
        when that is full, though the disk does not know it."""
        self._folder = tempfile.mkdtemp(prefix="kafka-broker-power-")
        self._image = os.path.join(self._folder, "image")
        self.path = os.path.join(self._folder, "disk")
        self._backed = backed_by is not None
        if self._backed:
            self._must(["mount", "-t", "tmpfs", "-o", "size=" + backed_by, "none", self._folder])
        os.mkdir(self.path)
        with open(self._image, "wb") as image:
            image.truncate(512 << 20)
        self._must(["mkfs.ext4", "-q", "-F", self._image])
        self.power_on()

    def _must(self, command):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return
            why = done.stderr.strip()
        except FileNotFoundError as missing:
            why = str(missing)
        self.close()
        harness.skip("no disk of its own to cut the power of: " + why)

    def power_on(self):
        self._must(["mount", "-o", "loop", self._image, self.path])

    def give_room(self):
        subprocess.run(["mount", "-o", "remount,size=0", self._folder], check=True)

    def cut(self):
        """From here on nothing is written any more, and what was not synced is gone."""
        disk = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(disk, FS_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(disk)

    def power_off(self):
        subprocess.run(["umount", self.path], check=True)

    def close(self):
        subprocess.run(["umount", "-l", self.path], check=False, capture_output=True)
        if self._backed:
            subprocess.run(["umount", "-l", self._folder], check=False, capture_output=True)
        subprocess.run(["rm", "-rf", "--one-file-system", self._folder], check=False)
