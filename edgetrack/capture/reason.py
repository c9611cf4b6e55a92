"""Why a camera or a file failed, in words that may be logged."""

NO_ANSWER = "no answer in time"
PLAINER = {"Immediate exit requested": NO_ANSWER}  # FFmpeg's word for a time limit that PyAV enforces


def why(error: BaseException) -> str:
    """The reason alone: the whole text of an OSError repeats the address, which may hold a password."""
    reason = str(getattr(error, "strerror", None) or error or type(error).__name__)
    return PLAINER.get(reason, reason)
