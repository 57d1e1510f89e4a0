"""Where calls are kept: journal files on disk, and databases behind one small interface."""
