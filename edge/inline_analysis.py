"""Analysis without a process of its own: for replays, where nothing may take time.

The computation is that of the analysis process, and so is what it refuses. scipy is loaded with the
first strip.
"""

import numpy as np
from numpy.typing import NDArray

from edge.analysis import AnalysisFailed, EcgRate, EcgStudy, rate_of, study_of
from edge.analysis_wire import RateRequest, StudyRequest


class InlineAnalysis:
    """Answers at once, in the loop that asks."""

    async def heart_rate_from_ecg(
        self,
        samples: NDArray[np.float64],
        fs: float,
        *,
        microvolts: float | None = None,
        preset: str | None = None,
    ) -> EcgRate | AnalysisFailed:
        """See `edge.analysis.Analysis`."""
        from edge import analysis_worker  # noqa: PLC0415 - this is what loads scipy

        array = np.asarray(samples, dtype=np.float64)
        request = RateRequest(float(fs), (array.shape,), microvolts, preset)
        return rate_of(analysis_worker.answer((request, (array,))), filtered=preset is not None)

    async def read_study(self, data: bytes) -> EcgStudy | AnalysisFailed:
        """See `edge.analysis.Analysis`."""
        from edge import analysis_worker  # noqa: PLC0415 - this is what loads scipy

        array = np.frombuffer(data, dtype=np.uint8)
        return study_of(analysis_worker.answer((StudyRequest((array.shape,)), (array,))))
