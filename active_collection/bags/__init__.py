"""Read any bag: messages, images, observation vectors, episode records."""
