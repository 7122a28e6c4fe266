"""Word error rate. What may be written in several ways (numbers, codes, contractions, spelling) is
right in each of them: the hypothesis is a lattice of readings, and the nearest one counts."""

import re
import unicodedata

from speech import DIGITS, MONTHS, ORDINALS, TEENS, TENS

SPELLING = {
    "colour": "color", "favourite": "favorite", "dialled": "dialed", "dialling": "dialing",
    "programme": "program", "centre": "center", "cancelled": "canceled", "grey": "gray",
    "ok": "okay", "whisky": "whiskey", "alfa": "alpha", "juliett": "juliet", "xray": "x ray",
    "voicemail": "voice mail", "cannot": "can not", "can't": "can not", "won't": "will not",
    "oclock": "o clock", "gonna": "going to", "mr": "mister", "recognise": "recognize",
    "neighbour": "neighbor", "theatre": "theater", "travelling": "traveling", "zee": "z",
    "licence": "license", "catalogue": "catalog", "timezone": "time zone", "saviour": "savior",
    "foxtrot": "fox trot", "keywords": "key words", "keyword": "key word",
}  # fmt: skip
CONTRACTED = [("n't", " not"), ("'re", " are"), ("'ve", " have"), ("'ll", " will"), ("'m", " am"), ("'d", " would")]
IS = {"that", "it", "what", "there", "here", "he", "she", "who", "where", "how", "let"}
SIGNS = {"+": "plus", "=": "equals", "%": "percent", "&": "and", "@": "at", "/": "slash", "-": "dash", ".": "dot"}


def cardinal(n):
    if n < 10:
        return [DIGITS[n]]
    if n < 20:
        return [TEENS[n - 10]]
    if n < 100:
        return [TENS[n // 10 - 2]] + (cardinal(n % 10) if n % 10 else [])
    for size, word in ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred")):
        if n >= size:
            return cardinal(n // size) + [word] + (cardinal(n % size) if n % size else [])


def ordinal(n):
    words = cardinal(n)
    last = words[-1]
    if last in TENS:
        last = last[:-1] + "ieth"
    elif n % 100 in range(1, 21):
        last = ORDINALS[n % 100 - 1]
    elif n % 10:
        last = ORDINALS[n % 10 - 1]
    else:
        last += "th"
    return words[:-1] + [last]


def number_readings(digits):
    """'620': six hundred twenty; six two zero; six twenty; ..."""
    alone = [DIGITS[int(d)] for d in digits]
    out = [alone, ["oh" if w == "zero" else w for w in alone]]
    if len(digits) <= 12 and (digits[0] != "0" or digits == "0"):
        out.append(cardinal(int(digits)))
    if 3 <= len(digits) <= 4:  # years, times
        head, tail = digits[:-2], digits[-2:]
        if head[0] != "0" and tail[0] != "0":
            out.append(cardinal(int(head)) + cardinal(int(tail)))
        elif head[0] != "0" and tail == "00":
            out.append(cardinal(int(head)) + ["hundred"])
        elif head[0] != "0":
            out.append(cardinal(int(head)) + ["oh", DIGITS[int(tail[1])]])
    return out


def plain_word(w):
    """Readings of a word without digits."""
    w = SPELLING.get(w, w)
    for ending, full in CONTRACTED:
        if w.endswith(ending) and len(w) > len(ending):
            w = w[: -len(ending)] + full
    if w.endswith("'s") and w[:-2] in IS:
        return [(w[:-2] + " is").split(), (w[:-2] + " has").split()]
    return [w.replace("'", "").split()]


def token_readings(token, before, spelled):
    if token.isdigit():
        out = number_readings(token)
        if before in MONTHS and int(token) <= 31:
            out.append(ordinal(int(token)))
        return out
    found = re.fullmatch(r"(\d+)(?:st|nd|rd|th)", token)
    if found:
        return [ordinal(int(found[1]))]
    if token in SIGNS:
        return [[], [SIGNS[token]]] + ([["minus"], ["hyphen"]] if token == "-" else [["point"]] if token == "." else [])
    out = plain_word(token)
    if token == "oh":
        out = out + [["o"]]
    if spelled and token.isalpha():
        out = out + [list(token)]
    return out


def tokens(text):
    """(token, spelled): words, runs of digits, signs inside of words. A word in capitals may be
    letters."""
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    text = re.sub(r"\$(\d+)", r"\1 dollars", text)
    text = re.sub(r"\bo'clock\b", "oclock", text, flags=re.IGNORECASE)
    for found in re.finditer(r"\d+(?:st|nd|rd|th)\b|\d+|[A-Za-z]+(?:'[A-Za-z]+)*|[+=%&@/]|(?<=\w)[-.](?=\w)|-", text):
        word = found[0]
        yield word.lower(), word.isupper() and 1 < len(word) <= 8 or word.lower() in ("am", "pm")


def lattice(text):
    out, before = [], ""
    for token, spelled in tokens(text):
        out.append(token_readings(token, before, spelled))
        before = token
    return out


def reference(text):
    """One list of words: of each part the first reading, signs between letters left out."""
    return [w for part in lattice(text) for w in part[0]]


def along(row, words, ref):
    """Edit distances after some more words of the hypothesis."""
    for w in words:
        new = [row[0] + 1]
        for i, r in enumerate(ref):
            new.append(min(row[i] + (w != r), row[i + 1] + 1, new[i] + 1))
        row = new
    return row


def errors(said, heard):
    """(word errors, words) of a hypothesis."""
    ref = reference(said)
    row = list(range(len(ref) + 1))
    for readings in lattice(heard):
        rows = [along(row, words, ref) for words in readings]
        row = [min(column) for column in zip(*rows)]
    return row[-1], len(ref)
