"""What a person should look at: pure rules that find it, and one that keeps a row of each."""
