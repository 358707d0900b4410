# One node of Cumulo. docker-compose.yml makes a network of three.
#
# Any image will do that has Node 22.18 or later, npm, and the user "node" that the official images have.
ARG NODE_IMAGE=node:24-bookworm-slim

# The dashboard is built by packages that the image has no other use for.
FROM ${NODE_IMAGE} AS page
WORKDIR /opt/cumulo
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund --no-update-notifier --cache /tmp/npm
COPY scripts/build-dashboard.ts scripts/
COPY tsconfig.json ./
COPY src src
RUN node --disable-warning=ExperimentalWarning scripts/build-dashboard.ts

FROM ${NODE_IMAGE}

WORKDIR /opt/cumulo

# Dependencies first: they change less often than the source, and their layer is kept until they do. The Node that npm
# brings for machines with an older one weighs more than all the rest, and this image has its own.
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund --no-update-notifier --cache /tmp/npm \
 && rm -rf node_modules/node-linux-* node_modules/.bin/node /tmp/npm \
 && cp package-lock.json node_modules/.installed-package-lock.json

COPY scripts/lib.sh scripts/cumulo scripts/
COPY src src
COPY scenarios scenarios
COPY --from=page /opt/cumulo/dist dist

# A start that works is part of the build, and leaves compiled code behind: at run time the root is read-only.
RUN set -e; ln -s /opt/cumulo/scripts/cumulo /usr/local/bin/cumulo; \
    cumulo node start --data /tmp/first --api 127.0.0.1:0 & \
    until cumulo status --data /tmp/first 2>/dev/null; do kill -0 $!; sleep 0.2; done; \
    kill $!; wait $!; rm -rf /tmp/first; \
    install -d -m 700 -o node -g node /data

ENV CUMULO_DATA=/data NODE_ENV=production
USER node
EXPOSE 4001 7070
ENTRYPOINT ["cumulo"]
CMD ["node", "start", "--data", "/data", "--listen", "/ip4/0.0.0.0/tcp/4001"]
