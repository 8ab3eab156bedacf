"""Passes traffic through, times it and keeps it as a cassette; plays a cassette back with the recorded timing.

No web framework stands here: a framework hands bodies on in pieces of its own and when its loop gets to it, and
both would be what is measured. The client's side is the simulator's connection (read, stamp, write through the
file descriptor, one exact timer), the provider's side is the measuring transport; what is written here is what
lies between them: `cassette` (the file), `scrubbing` (what may not be in it), `recorder`, `matching`, `replayer`.
Nothing is imported here.

    recorder.record, replayer.replay            blocking: until told to stop
    process.start_recording, .start_replay      the same in processes of their own, as context managers
    cassette.read_cassette                      the file as values
"""
