class TensorBoardLogger:
    """Averages what the steps report, and writes it every `avg_window` steps."""

    def __init__(self, summary_writer, avg_window=50, name=""):
        self.writer, self.window, self.name = summary_writer, avg_window, name
        self.sums, self.step = {}, 0

    def add_values(self, log_dict):
        self.step += 1
        for key, val in log_dict.items():
            self.sums[key] = self.sums.get(key, 0.0) + float(val)
            if self.step % self.window == 0:
                self.writer.add_scalar(self.name + "/" + key, self.sums.pop(key) / self.window, self.step)
