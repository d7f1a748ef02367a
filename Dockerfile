# Node 24 is the current long-term release; the server itself runs on 20.19 and later. The entrypoint needs 22.15 or later.
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY nest-cli.json tsconfig.json tsconfig.build.json ./
COPY src ./src
COPY deploy/docker ./docker
RUN npm run build \
  && npm prune --omit=dev --no-audit --no-fund \
  && node docker/prune.mjs \
  && rm docker/prune.mjs

FROM ${NODE_IMAGE}
ENV NODE_ENV=production
WORKDIR /app
RUN mkdir output_images state && chown node:node output_images state
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY --from=build /app/docker ./docker
VOLUME /app/output_images
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "/app/docker/healthcheck.mjs"]
# Starts as root to give the folders to the user node, and runs the server as node. With a user set it runs as that one.
ENTRYPOINT ["node", "/app/docker/entrypoint.mjs"]
CMD ["node", "dist/main.js"]
