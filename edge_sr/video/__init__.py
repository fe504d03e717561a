"""Sources and sinks of pictures: films, streams, image files and folders."""
