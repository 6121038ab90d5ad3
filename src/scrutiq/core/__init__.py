"""The nouns: typed, immutable, validated objects, JSON in and out. Nothing heavy is imported here."""

from scrutiq.core.applied import Applied
from scrutiq.core.assessment import (
    Assessment,
    AssessmentSet,
    Evidence,
    Finding,
    Judgement,
    Measurement,
    Provenance,
    Sentence,
    Severity,
)
from scrutiq.core.assessor import Assessor, AssessorUri, EvidenceMap
from scrutiq.core.case import Case, Role
from scrutiq.core.comparison import Comparison, DimensionComparison
from scrutiq.core.errors import (
    DeclinedError,
    InputError,
    MissingExtraError,
    RubricError,
    ScrutiqError,
    UsageError,
)
from scrutiq.core.image import GREY, HU, Image, Modality, Source, VoiLut, Window
from scrutiq.core.noun import SCHEMA_VERSION, FrozenDict, Noun
from scrutiq.core.rubric import Dimension, Level, Rubric

__all__ = [
    "GREY",
    "HU",
    "SCHEMA_VERSION",
    "Applied",
    "Assessment",
    "AssessmentSet",
    "Assessor",
    "AssessorUri",
    "Case",
    "Comparison",
    "DeclinedError",
    "Dimension",
    "DimensionComparison",
    "Evidence",
    "EvidenceMap",
    "Finding",
    "FrozenDict",
    "Image",
    "InputError",
    "Judgement",
    "Level",
    "Measurement",
    "MissingExtraError",
    "Modality",
    "Noun",
    "Provenance",
    "Role",
    "Rubric",
    "RubricError",
    "ScrutiqError",
    "Sentence",
    "Severity",
    "Source",
    "UsageError",
    "VoiLut",
    "Window",
]
