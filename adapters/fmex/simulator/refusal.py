"""A request that the pretend FMEX refuses."""


class Refusal(Exception):
    """Carries one of FMEX's codes; below 1000 it is a bare HTTP status."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code
