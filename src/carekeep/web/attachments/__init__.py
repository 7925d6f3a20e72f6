"""What people attach to messages: told apart by its content, taken to pieces, and scanned, before anything keeps it.

Invariants: what is kept is a JPEG, a PNG, a PDF or plain text, and nothing besides it in the same bytes; of pictures
only the picture is kept, without what cameras write into them. Without a scanner no PDF is taken. It is only ever
served as a file to be saved.
"""

from carekeep.web.attachments.checking import LARGEST, AttachmentRefused, Checked, check
from carekeep.web.attachments.scanning import Clamd, Scanner, ScannerFailed, scanner_at
from carekeep.web.attachments.serving import as_file

__all__ = [
    "LARGEST",
    "AttachmentRefused",
    "Checked",
    "Clamd",
    "Scanner",
    "ScannerFailed",
    "as_file",
    "check",
    "scanner_at",
]
