"""Makes small PDFs by hand: English and Chinese lines, ruled tables, pages that are pictures, passwords."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

FONTS = (
    b"<< /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >> "
    b"/F2 << /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UCS2-H /DescendantFonts "
    b"[<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /CIDSystemInfo "
    b"<< /Registry (Adobe) /Ordering (GB1) /Supplement 4 >> /DW 1000 >>] >> >>"
)


@dataclass
class Page:
    """What one page shows; lines go down the page from its top left."""

    lines: Sequence[str] = ()
    table: Sequence[Sequence[str]] = ()
    parts: list[bytes] = field(default_factory=list)

    def drawn(self) -> bytes:
        y = 780
        for line in self.lines:
            self.parts.append(_words(line, 50, y))
            y -= 20
        for number, row in enumerate(self.table):
            for column, cell in enumerate(row):
                x, top = 50 + 125 * column, y - 24 * number
                self.parts.append(f"{x} {top - 24} 125 24 re S".encode())
                self.parts.append(_words(cell, x + 4, top - 16))
        return b"\n".join(self.parts)


def a_columned_pdf(left: Sequence[str], right: Sequence[str]) -> bytes:
    """One page in two columns; each line of the left one is drawn just before its neighbour, as layout programs do."""
    page = Page()
    for number in range(max(len(left), len(right))):
        for lines, x in ((left, 50), (right, 320)):
            if number < len(lines) and lines[number]:
                page.parts.append(_words(lines[number], x, 780 - 20 * number))
    return a_pdf(page)


def _words(text: str, x: int, y: int) -> bytes:
    if text.isascii():
        shown = "(" + text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)") + ")"
        return f"BT /F1 11 Tf {x} {y} Td {shown} Tj ET".encode()
    return f"BT /F2 11 Tf {x} {y} Td <{text.encode('utf-16-be').hex()}> Tj ET".encode()


def a_pdf(*pages: Page) -> bytes:
    """A file of these pages."""
    kids = " ".join(f"{3 + 2 * n} 0 R" for n in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
    ]
    for number, page in enumerate(pages):
        content = page.drawn()
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font "
            + FONTS
            + f" >> /Contents {4 + 2 * number} 0 R >>".encode()
        )
        objects.append(f"<< /Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream")
    return _numbered(objects)


def _numbered(objects: Sequence[bytes]) -> bytes:
    out = BytesIO()
    out.write(b"%PDF-1.4\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(out.tell())
        out.write(f"{number} 0 obj\n".encode() + body + b"\nendobj\n")
    start = out.tell()
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode())
    out.write(b"".join(f"{place:010} 00000 n \n".encode() for place in places))
    out.write(f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode())
    return out.getvalue()


def locked(pdf: bytes, password: str) -> bytes:
    """The same file behind a password."""
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(BytesIO(pdf)))
    writer.encrypt(password, algorithm="AES-256")
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def scanned(pdf: bytes) -> bytes:
    """The same pages as pictures without any text."""
    import pypdfium2

    pictures = [page.render(scale=2).to_pil() for page in pypdfium2.PdfDocument(pdf)]
    out = BytesIO()
    pictures[0].save(out, "PDF", save_all=True, append_images=pictures[1:], resolution=144)
    return out.getvalue()


def written(folder: Path, name: str, content: bytes | str) -> Path:
    """A file with that content."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
