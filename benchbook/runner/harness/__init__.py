"""The harness looks at itself: `monitor` while it measures, `calibrating` before and after, against a known sender."""
