"""official - placeholder until the types are there."""


def check(kind, event):
    return []
