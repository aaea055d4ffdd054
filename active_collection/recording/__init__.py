"""Write one episode: bounded queue, writer thread, disk guard, salvage."""
