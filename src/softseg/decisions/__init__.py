"""What a segmentation programme is worth: from ranges to cash flows, bands and reasons."""
