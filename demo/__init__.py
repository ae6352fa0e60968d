"""What newcomers look at: a sample project, and the story of the workstation that it is worked on in."""
