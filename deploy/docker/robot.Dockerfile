# Robot and fleet: the nodes in a workspace on ROS 2, by the recipe of the README.
#   docker build --file deploy/docker/robot.Dockerfile --build-arg DISTRO=jazzy --tag active_collection:robot .
ARG DISTRO=jazzy
FROM ros:${DISTRO}
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
WORKDIR /ws
COPY . src/active_collection
RUN src/active_collection/environment/dependencies -t buildtool -t build -t exec
# pip of the environment, not of the distribution, and its numpy.
RUN python3 -m venv --system-site-packages .venv && touch .venv/COLCON_IGNORE && . .venv/bin/activate \
    && python src/active_collection/environment/requirements.py --constraints > .venv/constraints.txt \
    && python src/active_collection/environment/requirements.py uncertainty s3 sftp > .venv/requirements.txt \
    && pip config --site set global.constraint "$VIRTUAL_ENV/constraints.txt" \
    && pip install --no-cache-dir --requirement .venv/requirements.txt
RUN . "/opt/ros/$ROS_DISTRO/setup.bash" && . .venv/bin/activate \
    && colcon build --packages-select active_collection --cmake-args -DBUILD_TESTING=OFF && rm -rf build log
RUN cp src/active_collection/deploy/docker/in-workspace /usr/local/bin/ \
    && useradd --create-home --uid 1001 robot && install --directory --owner robot /data
USER 1001
VOLUME /data
# An interrupt: launch hands it on, and the open episode is closed.
STOPSIGNAL SIGINT
ENTRYPOINT ["in-workspace"]
CMD ["ros2", "launch", "active_collection", "robot.launch.py", "--show-args"]
