"""Was the warning right? Its pieces: outcomes by origin, calibration, scores, simple rivals."""
