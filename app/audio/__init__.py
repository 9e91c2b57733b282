"""Sound out of the loudspeaker, in step with the playback clock."""
