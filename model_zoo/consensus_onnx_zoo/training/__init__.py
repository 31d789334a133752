"""How the embedded committee is trained, exported and described. Needs the extra `zoo`."""
