"""What a run says about its members and its images: the rows of committee.csv and images.csv."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class MemberRecord:
    """One member of a run.

    Attributes
    ----------
    name, family : str
        As declared.
    digest : str
        Of the model and its resolved input, preprocessing and output; empty if it could not be opened.
    status, reason : str
        'ok', or what happened and why.
    accuracy_declared, accuracy_measured : float or None
        Top-1, 0..1; measured on the labelled images of this run.
    preprocessing : str
        Where the preprocessing came from: 'declared', 'metadata', 'convention'.
    input : str
        Size, layout and colour of its input, such as '224x224 NCHW RGB'.
    output : str
        'logits' or 'probabilities'.
    parameters : int
        Stored weights.
    provider : str
        That really ran it.
    notices : str
        What was assumed or doubted, separated by ' | '.
    """

    name: str = field(metadata={"column": "member"})
    family: str
    digest: str
    status: str
    reason: str
    accuracy_declared: float | None
    accuracy_measured: float | None
    preprocessing: str
    input: str
    output: str
    parameters: int
    provider: str
    notices: str

    @property
    def accuracy(self) -> float | None:
        """The declared accuracy, else the measured: what is declared usually rests on more images than a run."""
        return self.accuracy_measured if self.accuracy_declared is None else self.accuracy_declared


@dataclass(frozen=True)
class ImageRecord:
    """One image of a run.

    Attributes
    ----------
    name : str
        Path relative to the images' folder.
    row : int
        Its row in the stored arrays; -1 if it failed.
    label : int or None
        True class.
    split : str
        As in the labels file; empty if none.
    mask : bool
        Whether an object mask is stored.
    segments : int
        Superpixels (of the first explainer that uses them); 0 if none does.
    committee_prediction : int or None
        Top-1 of the members' mean probability.
    status, reason : str
        'ok', or why it takes no part.
    digest : str
        Of the canvas.
    consensus_ap : dict of str to float
        Average precision of the consensus against the object mask by explainer; NaN without a mask.
    """

    name: str = field(metadata={"column": "image"})
    row: int
    label: int | None
    split: str
    mask: bool
    segments: int
    committee_prediction: int | None
    status: str
    reason: str
    digest: str
    consensus_ap: dict[str, float]


@dataclass(frozen=True)
class ScoreRow:
    """A member's consensus score for one explainer: the mean over `images`, with a bootstrap interval over them.

    Attributes
    ----------
    member, explainer : str
        Whose, by what.
    score, ci_low, ci_high : float
        Mean similarity to the consensus and its 95 % interval.
    leave_one_out : float
        Mean similarity to the vote of the other members.
    mask_ap : float
        Mean average precision of the explanations against object masks; NaN without masks.
    images : int
        Images that have a score.
    """

    member: str
    explainer: str
    score: float
    ci_low: float
    ci_high: float
    leave_one_out: float
    mask_ap: float
    images: int


@dataclass(frozen=True)
class FailureRow:
    """An explanation, or a prediction, that a member could not give.

    Attributes
    ----------
    member, explainer, image : str
        Whose, by what ('prediction' for the member's own answer), of which.
    status, reason : str
        What happened, as in committee.csv, and why.
    """

    member: str
    explainer: str
    image: str
    status: str
    reason: str


@dataclass(frozen=True)
class PerImageRow:
    """One explanation: what was asked, how it scored, how far it can be trusted.

    Attributes
    ----------
    member, explainer, image : str
        Whose, by what, of which.
    target, predicted : int
        Class explained; the member's own top-1.
    probability : float
        Of the target on the clean canvas.
    score, leave_one_out, mask_ap : float
        As in `ScoreRow`, for this image.
    split_half, r2 : float
        Agreement of the halves of the samples; share of variance the surrogate explains. NaN where undefined.
    samples : int
        Pictures the member was asked about.
    """

    member: str
    explainer: str
    image: str
    target: int
    predicted: int
    probability: float
    score: float
    leave_one_out: float
    mask_ap: float
    split_half: float
    r2: float
    samples: int
