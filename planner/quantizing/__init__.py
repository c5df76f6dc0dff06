"""What quantizing itself needs: host memory, GPU memory, disk and time, by tool."""
