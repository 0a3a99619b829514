"""Stories played in the embedded AWS: the demo's, and the stage that tests share with it."""
