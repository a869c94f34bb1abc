"""What attackers learn from updates, sums and seized disks: drills with known attacks."""
